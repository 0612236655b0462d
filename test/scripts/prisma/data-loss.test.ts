import t from 'tap';
import { lossesOf } from '../../../scripts/prisma/data-loss.js';

t.test('lossesOf lists the columns and tables that a migration removes', async (t) => {
  t.strictSame(
    lossesOf('-- AlterTable\nALTER TABLE "request_logs" DROP COLUMN "userAgent",\nADD COLUMN     "clientName" TEXT;\n'),
    ['column "userAgent" of "request_logs"'],
  );
  t.strictSame(lossesOf('-- DropTable\nDROP TABLE "request_stats_by_key";\n'), ['table "request_stats_by_key"']);
});

t.test('a migration that only adds loses nothing', async (t) => {
  t.strictSame(lossesOf('-- CreateTable\nCREATE TABLE "Note" (\n    "id" TEXT NOT NULL\n);\n'), []);
});
