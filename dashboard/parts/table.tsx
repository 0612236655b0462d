import type { ComponentChildren } from 'preact';

export interface Column<Row> {
  title: string;
  /** In place of the title. */
  header?: ComponentChildren;
  cell: (row: Row) => ComponentChildren;
  /** `number`: aligned right; `wide`: fills the rest of the width, truncated; `minor`: hidden on phones. */
  kind?: 'number' | 'wide' | 'minor' | 'number minor';
}

interface TableProps<Row> {
  /** The caption of the table, for screen readers. */
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  keyOf: (row: Row) => string;
  /** Whether rows become cards where the columns do not fit. */
  asCards?: boolean;
}

/** A table that scrolls horizontally when it is too wide. */
export function Table<Row>({ caption, columns, rows, keyOf, asCards = false }: TableProps<Row>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class={asCards ? 'table cards' : 'table'} aria-label={caption} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, header = title, kind }) => (
              <th key={title} scope="col" class={kind}>
                {header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, kind, cell }) => (
                <td key={title} class={kind} data-title={asCards ? title : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
