-- The id of the caller's trace. Adding the column does not rewrite the table.
ALTER TABLE "request_logs" ADD COLUMN     "traceId" TEXT;

-- Partial, because many requests have no trace: built quickly on a log from before. Prisma does not know it and leaves it alone.
CREATE INDEX "request_logs_traceId_idx" ON "request_logs"("traceId") WHERE "traceId" IS NOT NULL;
