/**
 * Ozone's rule for volume, bucket and snapshot names (HddsClientUtils.verifyResourceName, strict S3).
 * @returns the reason for a refusal in Ozone's words, or `null`.
 */
export function whyIllegal(name: string, kind: 'volume' | 'bucket' | 'snapshot'): string | null {
  const characters = whyCharactersIllegal(name, kind);
  if (characters !== null) return characters;
  if (name.length < 3) return `${kind} name '${name}' is too short, valid length is 3-63 characters`;
  if (name.length > 63) return `${kind} name '${name}' is too long, valid length is 3-63 characters`;
  return null;
}

function whyCharactersIllegal(name: string, kind: string): string | null {
  let previous = '';
  for (const c of name) {
    if (c >= 'A' && c <= 'Z') return `${kind} name does not support uppercase characters`;
    if (!/[a-z0-9.-]/.test(c)) return `${kind} name has an unsupported character : ${c}`;
    if (previous === '.' && c === '.') return `${kind} name should not have two contiguous periods`;
    if (previous === '-' && c === '.') return `${kind} name should not have period after dash`;
    if (previous === '.' && c === '-') return `${kind} name should not have dash after period`;
    previous = c;
  }
  if (/^[0-9.]+$/.test(name)) return `${kind} name cannot be an IPv4 address or all numeric`;
  if (/^[.-]/.test(name)) return `${kind} name cannot start with a period or dash`;
  if (/[.-]$/.test(name)) return `${kind} name cannot end with a period or dash`;
  return null;
}

/** `s` and the UTC time, as Ozone names a snapshot that got no name. */
export const generatedName = (now: number): string => {
  const [date = '', time = ''] = new Date(now).toISOString().slice(0, -1).split('T');
  return `s${date.replaceAll('-', '')}-${time.replaceAll(':', '')}`;
};
