import { httpConformance } from '../conformance/http.ts'

httpConformance('deno')
