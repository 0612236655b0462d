-- AlterTable
ALTER TABLE "api_keys" ADD COLUMN     "isForeign" BOOLEAN NOT NULL DEFAULT false;
