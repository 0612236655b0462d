import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { isInstalled } from './installed.js';
import { temporaryDirectory } from './temporary-directory.js';

/** `{ skip: needsOpenssl }`; in CI a missing openssl is a failure. */
export const needsOpenssl = !isInstalled('openssl', ['version']) && !process.env.CI && 'needs openssl';

/** Creates a self-signed certificate for 127.0.0.1. @returns the files of the certificate and its key */
export function createCertificate(t: Test): { certificate: string; key: string } {
  const directory = temporaryDirectory(t);
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'];
  const files = ['-addext', 'subjectAltName=IP:127.0.0.1', '-out', certificate, '-keyout', key];
  execFileSync('openssl', [...request, ...files], { stdio: 'ignore' });
  return { certificate, key };
}
