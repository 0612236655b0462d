-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "rateLimitPerMinute" INTEGER,
ADD COLUMN     "replacedBy" TEXT,
ADD COLUMN     "replaces" TEXT;

-- CreateTable
CREATE TABLE "api_key_events" (
    "id" TEXT NOT NULL,
    "apiKeyId" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "actorKeyId" TEXT,
    "ip" TEXT,
    "changes" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "api_key_events_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "api_key_events_apiKeyId_id_idx" ON "api_key_events"("apiKeyId", "id");
