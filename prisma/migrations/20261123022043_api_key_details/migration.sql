-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "expiresAt" TIMESTAMP(3),
ADD COLUMN     "scopes" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "start" TEXT NOT NULL DEFAULT '';

-- AlterTable
ALTER TABLE "request_logs" ADD COLUMN     "apiKeyId" TEXT;
