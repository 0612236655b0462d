-- AlterTable
ALTER TABLE "request_logs" ADD COLUMN     "outcome" TEXT,
ADD COLUMN     "ownerId" TEXT,
ADD COLUMN     "verification" JSONB,
ADD COLUMN     "verifiedApiKeyId" TEXT;

-- Partial indexes, because most rows have no value. Prisma does not know them and leaves them alone.
CREATE INDEX "request_logs_ownerId_idx" ON "request_logs"("ownerId") WHERE "ownerId" IS NOT NULL;
CREATE INDEX "request_logs_verifiedApiKeyId_idx" ON "request_logs"("verifiedApiKeyId") WHERE "verifiedApiKeyId" IS NOT NULL;

-- Checks of keys by minute (60), hour (3600) and day (86400). Written in the statement that writes the rows, so that a repeated
-- batch counts once.
CREATE TABLE "key_usage" (
    "period" INTEGER NOT NULL,
    "start" TIMESTAMP(3) NOT NULL,
    "apiKeyId" TEXT NOT NULL,
    "ownerId" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "shard" INTEGER NOT NULL,
    "count" BIGINT NOT NULL,

    CONSTRAINT "key_usage_pkey" PRIMARY KEY ("period", "start", "apiKeyId", "ownerId", "outcome", "shard")
);

-- Most updates change no indexed column: with free space on the page they do not touch the indexes.
ALTER TABLE "key_usage" SET (fillfactor = 50);

-- CreateIndex
CREATE INDEX "key_usage_apiKeyId_period_start_idx" ON "key_usage"("apiKeyId", "period", "start");

-- CreateIndex
CREATE INDEX "key_usage_ownerId_period_start_idx" ON "key_usage"("ownerId", "period", "start");
