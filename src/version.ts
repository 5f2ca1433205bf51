// The version this build reports. A test holds it against package.json, which a Worker can't read at run time.

export const ROUTER_VERSION = '0.1.0'
