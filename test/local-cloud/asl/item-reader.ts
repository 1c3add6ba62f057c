import { AwsError } from '../errors.ts';
import { isObject, type Json, parseJson } from '../json.ts';
import type { ItemReader } from './definition.ts';
import { StateError } from './errors.ts';
import { type Entered, evaluateIn, type Frame, numberIn } from './frame.ts';

const failed = (cause: string) => new StateError('States.ItemReaderFailed', cause);

/** Reads the dataset of a Map from S3 (AWS, "ItemReader (Map)"): a JSON array or object, JSON Lines, or CSV. */
export async function readItems(frame: Frame, entered: Entered, reader: ItemReader): Promise<Json> {
  const { ReaderConfig: config, Arguments } = reader;
  const most = await numberIn(frame, entered, config?.MaxItems, 'ItemReader/ReaderConfig/MaxItems', {
    from: 1,
    to: 100_000_000,
  });
  const mocked = frame.surroundings.mockItems?.(entered.name);
  const items = mocked ?? (await readObject(frame, entered, Arguments, config));
  return most !== undefined && Array.isArray(items) ? items.slice(0, most) : items;
}

async function readObject(
  frame: Frame,
  entered: Entered,
  template: ItemReader['Arguments'],
  config: ItemReader['ReaderConfig'],
): Promise<Json> {
  const place = await evaluateIn(frame, entered, template, 'ItemReader/Arguments');
  if (!isObject(place) || typeof place.Bucket !== 'string' || typeof place.Key !== 'string') {
    throw failed('ItemReader needs a Bucket and a Key');
  }
  let content: string;
  try {
    content = frame.surroundings.objects.get(frame.execution.machine.role, place.Bucket, place.Key).toString('utf8');
  } catch (error) {
    if (error instanceof AwsError) throw failed(`${error.name}: ${error.message}`);
    throw error;
  }
  switch (config?.InputType ?? 'JSON') {
    case 'JSON': {
      const value = parseJson(content);
      if (Array.isArray(value) || isObject(value)) return value;
      throw failed('Attempting to map over a JSON file that is neither an array nor an object');
    }
    case 'JSONL':
      return content
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line, index) => {
          const value = parseJson(line);
          if (value === undefined) throw failed(`Line ${index + 1} is not valid JSON`);
          return value;
        });
    case 'CSV':
      return csvItems(content, config);
  }
}

const delimiters = { COMMA: ',', PIPE: '|', SEMICOLON: ';', SPACE: ' ', TAB: '\t' } as const;

/** Rows as objects of texts; quoted fields as RFC 4180 has them. */
function csvItems(content: string, config: ItemReader['ReaderConfig']): readonly Json[] {
  const rows = csvRows(content, delimiters[config?.CSVDelimiter ?? 'COMMA']);
  const headers = config?.CSVHeaderLocation === 'GIVEN' ? config.CSVHeaders : rows.shift();
  if (!headers) return [];
  return rows.map((row) => Object.fromEntries(headers.map((header, column) => [header, row[column] ?? ''])));
}

function csvRows(content: string, delimiter: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let quoted = false;
  const endRow = () => {
    row.push(field);
    field = '';
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  };
  for (let at = 0; at < content.length; at++) {
    const character = content.charAt(at);
    if (quoted) {
      if (character !== '"') field += character;
      else if (content.charAt(at + 1) === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (character === '"' && field === '') quoted = true;
    else if (character === delimiter) {
      row.push(field);
      field = '';
    } else if (character === '\n') endRow();
    else if (character !== '\r') field += character;
  }
  endRow();
  return rows;
}
