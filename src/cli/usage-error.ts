/** A command was used wrongly, or something it was given can't be used. The message is for whoever typed it. */
export class UsageError extends Error {}
