// Certificates for tests, made on the spot, for an address and a time of one's choice. X.509 is little more than
// lengths in front of bytes (RFC 5280, X.690), so no key has to lie in the repository.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export interface TestCertificate {
  readonly key: string
  readonly cert: string
}

export interface CertificateOptions {
  /** The IPv4 address it is for. */
  readonly address: string
  readonly notAfter: Date
}

export interface TestAuthority {
  /** What clients have to be told to trust. */
  readonly cert: string
  issue(options: CertificateOptions): TestCertificate
}

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BOOLEAN = 0x01
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const GENERALIZED_TIME = 0x18
const VERSION = 0xa0
const EXTENSIONS = 0xa3
const IP_ADDRESS = 0x87

const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex')
const COMMON_NAME = Buffer.from('550403', 'hex')
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex')
const BASIC_CONSTRAINTS = Buffer.from('551d13', 'hex')

const YEAR_MS = 365 * 24 * 3_600_000

/** An authority of that name, which must be its own: clients find who signed a certificate by it. */
export function createTestAuthority(name: string): TestAuthority {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = { name: toName(name), key: pair.privateKey }
  let serial = 1
  const own = { subject: issuer.name, publicKey: pair.publicKey, notAfter: new Date(Date.now() + YEAR_MS) }
  return {
    cert: certify(issuer, { ...own, serial, extensions: [authority()] }),
    issue({ address, notAfter }) {
      serial += 1
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const subject = toName(`${name} ${serial}`)
      return {
        key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
        cert: certify(issuer, { subject, publicKey, notAfter, serial, extensions: [alternativeName(address)] }),
      }
    },
  }
}

interface Subject {
  readonly subject: Buffer
  readonly publicKey: KeyObject
  readonly notAfter: Date
  readonly serial: number
  readonly extensions: readonly Buffer[]
}

function certify(issuer: { readonly name: Buffer; readonly key: KeyObject }, of: Subject): string {
  const algorithm = der(SEQUENCE, der(OBJECT_ID, ECDSA_WITH_SHA256))
  const signed = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, Buffer.of(2))),
    der(INTEGER, Buffer.of(of.serial)),
    algorithm,
    issuer.name,
    der(SEQUENCE, time(new Date(of.notAfter.getTime() - 2 * YEAR_MS)), time(of.notAfter)),
    of.subject,
    of.publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS, der(SEQUENCE, ...of.extensions)),
  )
  const signature = sign('sha256', signed, issuer.key)
  return toPem(der(SEQUENCE, signed, algorithm, der(BIT_STRING, Buffer.of(0), signature)))
}

function toName(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from(name)))))
}

function authority(): Buffer {
  const isAuthority = der(SEQUENCE, der(BOOLEAN, Buffer.of(0xff)))
  return der(SEQUENCE, der(OBJECT_ID, BASIC_CONSTRAINTS), der(BOOLEAN, Buffer.of(0xff)), der(OCTET_STRING, isAuthority))
}

function alternativeName(address: string): Buffer {
  const names = der(SEQUENCE, der(IP_ADDRESS, Buffer.from(address.split('.').map(Number))))
  return der(SEQUENCE, der(OBJECT_ID, SUBJECT_ALT_NAME), der(OCTET_STRING, names))
}

function time(at: Date): Buffer {
  return der(GENERALIZED_TIME, Buffer.from(at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')))
}

/** A tag, the length of what follows, and what follows. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const length = body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), body])
}

function toPem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
