// The bucket of the decision log, which fails when a test says so. Tests and objects run in one isolate here.

export interface BucketFaults {
  /** What writing fails with; null when it does not. */
  put: string | null
  /** Writing succeeds, and nobody hears of it. */
  losesAnswers: boolean
  get: string | null
  /** Keys written, in order; those of writes that failed are not among them. */
  readonly written: string[]
}

export const bucketFaults: BucketFaults = { put: null, losesAnswers: false, get: null, written: [] }

export function faultyBucket(real: R2Bucket): R2Bucket {
  const faulty: Pick<R2Bucket, 'get' | 'put' | 'delete'> = {
    async get(key: string, options?: R2GetOptions) {
      if (bucketFaults.get !== null) throw new Error(bucketFaults.get)
      return real.get(key, options)
    },
    async put(key: string, ...rest: unknown[]) {
      if (bucketFaults.put !== null) throw new Error(bucketFaults.put)
      const put = await (real.put as (...all: unknown[]) => Promise<R2Object | null>).call(real, key, ...rest)
      if (put !== null) bucketFaults.written.push(key)
      if (bucketFaults.losesAnswers) throw new Error('the answer was lost')
      return put
    },
    delete: (keys) => real.delete(keys),
  } as Pick<R2Bucket, 'get' | 'put' | 'delete'>
  return faulty as R2Bucket
}
