-- Written in the statement that writes the rows, so that they agree with them whatever is sent twice.

-- Requests by minute (60), by hour (3600) and by day (86400).
CREATE TABLE "request_stats" (
    "period" INTEGER NOT NULL,
    "start" TIMESTAMP(3) NOT NULL,
    "route" TEXT NOT NULL,
    "method" TEXT NOT NULL,
    "statusCode" INTEGER NOT NULL,
    "shard" INTEGER NOT NULL,
    "count" BIGINT NOT NULL,
    "histogram" BIGINT[],

    CONSTRAINT "request_stats_pkey" PRIMARY KEY ("period", "start", "route", "method", "statusCode", "shard")
);

CREATE TABLE "request_stats_by_key" (
    "period" INTEGER NOT NULL,
    "start" TIMESTAMP(3) NOT NULL,
    "apiKeyId" TEXT NOT NULL,
    "shard" INTEGER NOT NULL,
    "count" BIGINT NOT NULL,
    "errors" BIGINT NOT NULL,

    CONSTRAINT "request_stats_by_key_pkey" PRIMARY KEY ("period", "start", "apiKeyId", "shard")
);

-- Most updates change nothing that is indexed: with room on the page they leave the index alone.
ALTER TABLE "request_stats" SET (fillfactor = 50);
ALTER TABLE "request_stats_by_key" SET (fillfactor = 50);

-- For the page of a key that is seldom used.
CREATE INDEX "request_logs_apiKeyId_idx" ON "request_logs"("apiKeyId");

-- For the pages of what is rare and looked for: the usual answer, quick and good, is in neither and costs them nothing.
-- Prisma knows no such indexes and leaves them alone.
CREATE INDEX "request_logs_statusCode_idx" ON "request_logs"("statusCode") WHERE "statusCode" <> 200;
CREATE INDEX "request_logs_duration_idx" ON "request_logs"("duration") WHERE "duration" >= 500;
