-- Batches of the request log whose rows are in ClickHouse and whose charges of quotas are settled here, so that each is settled once.
CREATE TABLE "settled_batches" (
    "id" TEXT NOT NULL,
    "settledAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "settled_batches_pkey" PRIMARY KEY ("id")
);

-- For the hourly removal of old ones.
CREATE INDEX "settled_batches_settledAt_idx" ON "settled_batches"("settledAt");
