// The parser's syntax errors in the operator's words. The parser's own messages quote the text, which may hold a key,
// so only its codes are used.

import type { ErrorCode } from 'yaml'

const SYNTAX_ERRORS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias (*name) takes no tag and no anchor of its own',
  BAD_ALIAS: 'a value that starts with * or & is an alias or an anchor in YAML; put quotes around it, such as "*"',
  BAD_COLLECTION_TYPE: 'the tag does not fit the value; remove the tag',
  BAD_DIRECTIVE: 'a line starting with % is a YAML directive, and this one is unknown; remove it',
  BAD_DQ_ESCAPE: 'a backslash in double quotes starts an escape YAML does not know; use single quotes',
  BAD_INDENT:
    'the indentation fits none of the lines above (entries of one list or map start at the same column), or a [ or { above is not closed',
  BAD_PROP_ORDER: 'a tag or an anchor stands before the indicator it belongs after',
  BAD_SCALAR_START: 'a value starts with a character that YAML reserves (such as @, ` or %); put quotes around it',
  BLOCK_AS_IMPLICIT_KEY: 'there are two "key: value" on one line, or a ": " in a value; put quotes around the value',
  BLOCK_IN_FLOW: 'a list or map written over lines stands inside [ ] or { }; write it inside brackets as well',
  DUPLICATE_KEY: 'the key stands twice in the same map',
  IMPOSSIBLE: 'the YAML parser can make nothing of this place',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR:
    'something is missing here: a closing quote or bracket, a comma, a ": " after a key, or the "- " of a list entry',
  MULTILINE_IMPLICIT_KEY: 'a key runs over several lines; is a ": " missing at the end of the line?',
  MULTIPLE_ANCHORS: 'a value has two anchors',
  MULTIPLE_DOCS: 'the file holds several YAML documents (---); a configuration is one document',
  MULTIPLE_TAGS: 'a value has two tags',
  NON_STRING_KEY: 'a key must be plain text',
  RESOURCE_EXHAUSTION: 'lists and maps are nested too deeply',
  TAB_AS_INDENT: 'a tab is used to indent; YAML wants spaces',
  TAG_RESOLVE_FAILED: 'the tag (!name) is not supported; write the plain value',
  UNEXPECTED_TOKEN: 'something stands here that YAML does not expect; check quotes, brackets and indentation',
}

/** Says what a syntax error of the parser means; `line` is the text it happened in, looked at for one frequent cause. */
export function describeSyntaxError(code: ErrorCode, line: string): string {
  const message = SYNTAX_ERRORS[code]
  // `[${A}]` is the one way to meet this error with our own documentation followed.
  const hint = /[[{,].*\$\{/.test(line) ? '; inside [ ] or { } a ${NAME} needs quotes: ["${NAME}"]' : ''
  return `YAML syntax: ${message}${hint}`
}
