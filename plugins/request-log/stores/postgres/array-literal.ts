// Literals of PostgreSQL's arrays, at a third of the cost of `pg`.

/** An array literal of values without special characters: numbers, UUIDs, HTTP methods. */
export function arrayLiteral(items: readonly (string | number)[]): string {
  return `{${items.join(',')}}`;
}

/** An array literal of any text. Adjacent rows often have the same value, so the last one is cached. */
export class TextColumn {
  private readonly items: string[] = [];
  private last: string | null = null;
  private lastQuoted = 'NULL';

  push(text: string | null) {
    if (text !== this.last) {
      this.last = text;
      this.lastQuoted = text === null ? 'NULL' : quote(text);
    }
    this.items.push(this.lastQuoted);
  }

  toLiteral() {
    return arrayLiteral(this.items);
  }
}

/** An array literal of texts that few rows have. It ends with the last of them: PostgreSQL's unnest adds NULL for the other rows. */
export class SparseColumn {
  private readonly items: string[] = [];

  set(row: number, text: string) {
    while (this.items.length < row) this.items.push('NULL');
    this.items.push(quote(text));
  }

  toLiteral() {
    return arrayLiteral(this.items);
  }
}

/** Removes NUL, which PostgreSQL's text cannot have, and escapes quotes and backslashes. */
function quote(text: string): string {
  return `"${text.replace(/\0/g, '').replace(/["\\]/g, '\\$&')}"`;
}
