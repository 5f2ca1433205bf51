export declare const STEPS: readonly string[]
