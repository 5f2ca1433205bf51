// Apart from the schema of reports, so that who makes one need not build the schema.

export const REPORT_VERSION = 1
