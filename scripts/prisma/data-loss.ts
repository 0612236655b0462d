/**
 * Lists what a migration removes from tables that may have rows, such as `column "note" of "orders"`.
 *
 * @param sql as Prisma's engine writes it
 */
export function lossesOf(sql: string): string[] {
  const statements = sql.replace(/^--.*$/gm, '').split(';');
  return statements.flatMap((statement) => {
    const [, dropped] = /^\s*DROP TABLE "?([^";]+)"?/i.exec(statement) ?? [];
    if (dropped) return [`table "${dropped}"`];
    const [, table = ''] = /^\s*ALTER TABLE "?([^"\s]+)"?/i.exec(statement) ?? [];
    const columns = statement.matchAll(/DROP COLUMN\s+"([^"]+)"/gi);
    const types = statement.matchAll(/ALTER COLUMN\s+"([^"]+)"\s+(?:SET DATA )?TYPE/gi);
    return [
      ...[...columns].map(([, column]) => `column "${column}" of "${table}"`),
      ...[...types].map(([, column]) => `values of column "${column}" of "${table}" that do not fit the new type`),
    ];
  });
}
