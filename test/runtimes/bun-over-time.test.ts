import { httpOverTimeConformance } from '../conformance/http-over-time.ts'

httpOverTimeConformance('bun')
