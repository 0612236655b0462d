import { TextColumn } from './array-literal.js';

type Field = string | number;
/** A level of the maps: a field leads to the next level, the last one to a count. */
interface Branch extends Map<Field, Branch | number> {}

/**
 * Counts how often each combination of fields occurs. Nested maps, one level for each field, are several times as fast as one map whose
 * key joins the fields.
 */
export class Counter<Fields extends readonly Field[]> {
  private readonly depth: Fields['length'];
  private readonly root: Branch = new Map();

  /** @param depth the number of fields */
  constructor(depth: Fields['length']) {
    this.depth = depth;
  }

  add(...fields: Fields): void {
    const last = fields.length - 1;
    let branch = this.root;
    for (let i = 0; i < last; i++) {
      const field = fields[i] as Field;
      let next = branch.get(field) as Branch | undefined;
      if (next === undefined) {
        next = new Map();
        branch.set(field, next);
      }
      branch = next;
    }
    const leaf = fields[last] as Field;
    branch.set(leaf, ((branch.get(leaf) as number | undefined) ?? 0) + 1);
  }

  /** An array literal for each field, and one for the counts. */
  toLiterals(): string[] {
    const columns = Array.from({ length: this.depth + 1 }, () => new TextColumn());
    const row: Field[] = [];
    const visit = (branch: Branch, depth: number) => {
      for (const [field, value] of branch) {
        row[depth] = field;
        if (typeof value !== 'number') {
          visit(value, depth + 1);
          continue;
        }
        row[depth + 1] = value;
        for (let i = 0; i < row.length; i++) columns[i]?.push(String(row[i]));
      }
    };
    visit(this.root, 0);
    return columns.map((column) => column.toLiteral());
  }
}
