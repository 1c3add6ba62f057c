type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** JSON as Ozone's commands print it (Jackson's default pretty printer): ` : `, `[ ]`, arrays of objects as `[ {`. */
export function jackson(value: Json, indent = ''): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return value.length === 0 ? '[ ]' : `[ ${value.map((item) => jackson(item, indent)).join(', ')} ]`;
  const fields = Object.entries(value);
  if (fields.length === 0) return '{ }';
  const inner = `${indent}  `;
  const lines = fields.map(([name, field]) => `${inner}${JSON.stringify(name)} : ${jackson(field, inner)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
