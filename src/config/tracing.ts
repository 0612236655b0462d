import { readFileSync } from 'node:fs';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { ConfigError } from './error.js';

/** Variables that can have secrets. */
export const secretTracingVariables = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'] as const;

const endpoints = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
const samplers = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);
const propagators = ['tracecontext', 'baggage'];
/** Of the exporter: for all signals, or for traces. */
const otlp = (name: string) => new RegExp(`^OTEL_EXPORTER_OTLP_(?:TRACES_)?(?:${name})$`);

/** Without them, an OpenTelemetry for other signals can have values that do not apply here. */
const isReplaced = (name: string, otel: Record<string, string>) =>
  /^OTEL_EXPORTER_OTLP_(?!TRACES_|HEADERS$)/.test(name) && otel[name.replace('_OTLP_', '_OTLP_TRACES_')] !== undefined;

const rules: readonly { names: RegExp; isValid(value: string): boolean; hint: string }[] = [
  {
    names: otlp('ENDPOINT'),
    isValid: isEndpoint,
    hint: 'an http or https URL such as http://collector:4318, without user, password, query and white space',
  },
  { names: otlp('PROTOCOL'), isValid: (value) => value === 'http/protobuf', hint: 'http/protobuf' },
  { names: otlp('HEADERS'), isValid: isHeaderList, hint: 'a list of headers such as name=value,name=value' },
  { names: otlp('COMPRESSION'), isValid: (value) => ['gzip', 'none'].includes(value.trim()), hint: 'gzip or none' },
  {
    names: otlp('CERTIFICATE|CLIENT_CERTIFICATE|CLIENT_KEY'),
    isValid: isReadable,
    hint: 'the path of a file that this process can read',
  },
  { names: otlp('TIMEOUT'), isValid: isPositive, hint: 'a number of milliseconds above 0' },
  { names: /^OTEL_BSP_/, isValid: isPositive, hint: 'a whole number above 0' },
  { names: /^OTEL_(?:SPAN|ATTRIBUTE)_[A-Z_]+_COUNT_LIMIT$/, isValid: isWhole, hint: 'a whole number' },
  { names: /^OTEL_(?:SPAN_)?ATTRIBUTE_VALUE_LENGTH_LIMIT$/, isValid: isPositive, hint: 'a whole number above 0' },
  { names: /^OTEL_SDK_DISABLED$/, isValid: (value) => /^(?:true|false)$/i.test(value.trim()), hint: 'true or false' },
  {
    names: /^OTEL_RESOURCE_ATTRIBUTES$/,
    isValid: isAttributeList,
    hint: 'a list such as name=value,name=value, with = and , in a value as %3D and %2C',
  },
  {
    names: /^OTEL_PROPAGATORS$/,
    isValid: (value) => listOf(value).every((entry) => propagators.includes(entry)) && value.includes('tracecontext'),
    hint: 'tracecontext, the only one that the service reads',
  },
  { names: /^OTEL_TRACES_EXPORTER$/, isValid: (value) => value === 'otlp', hint: 'otlp or none' },
  {
    names: /^OTEL_TRACES_SAMPLER$/,
    isValid: (value) => samplers.includes(value),
    hint: `one of ${samplers.join(', ')}`,
  },
  { names: /^OTEL_TRACES_SAMPLER_ARG$/, isValid: isRatio, hint: 'a number from 0 to 1' },
];

/**
 * The `OTEL_` variables; undefined when spans are off.
 *
 * @param variables all variables of the process
 * @throws ConfigError for a value that OpenTelemetry would ignore or that this service does not support
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function tracingVariables(variables: NodeJS.ProcessEnv): Record<string, string> | undefined {
  const otel = Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[0].startsWith('OTEL_') && !!entry[1]),
  );
  const isOn =
    endpoints.some((name) => otel[name] !== undefined) &&
    otel.OTEL_SDK_DISABLED?.trim().toLowerCase() !== 'true' &&
    otel.OTEL_TRACES_EXPORTER !== 'none';
  if (!isOn) return undefined;
  for (const [name, value] of Object.entries(otel))
    for (const { names, isValid, hint } of rules)
      if (names.test(name) && !isReplaced(name, otel) && !isValid(value))
        throw new ConfigError(`${name} must be ${hint}; OTEL_SDK_DISABLED=true turns spans off`);
  return otel;
}

function listOf(value: string): string[] {
  return value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function isEndpoint(value: string) {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return ['http:', 'https:'].includes(protocol) && !/\s/.test(value) && !(username + password + search + hash);
}

/** OpenTelemetry drops headers without a value, and what follows a semicolon. Node.js rejects others with an error that contains them. */
function isHeaderList(value: string) {
  try {
    for (const entry of listOf(value)) {
      const [name = '', ...rest] = entry.split('=');
      validateHeaderName(decodeURIComponent(name.trim()));
      validateHeaderValue('value', decodeURIComponent(rest.join('=').trim()));
    }
    return listOf(value).every((entry) => /=\s*\S/.test(entry)) && !value.includes(';');
  } catch {
    return false;
  }
}

/** OpenTelemetry ignores the whole list if one entry is invalid. */
function isAttributeList(value: string) {
  try {
    return listOf(value).every((entry) => {
      const [name, text, ...rest] = entry.split('=').map((part) => decodeURIComponent(part.trim()));
      return name && text !== undefined && rest.length === 0 && Math.max(name.length, text.length) <= 255;
    });
  } catch {
    return false;
  }
}

function isReadable(path: string) {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

function isWhole(value: string) {
  return /^\d{1,10}$/.test(value.trim());
}

function isPositive(value: string) {
  return isWhole(value) && Number(value) > 0;
}

function isRatio(value: string) {
  return value.trim() !== '' && Number(value) >= 0 && Number(value) <= 1;
}
