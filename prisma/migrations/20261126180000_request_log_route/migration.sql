-- The template of the path, which the statistics have had alone until now. Rows from before have none.
ALTER TABLE "request_logs" ADD COLUMN     "route" TEXT;

-- CreateIndex
CREATE INDEX "request_logs_route_idx" ON "request_logs"("route");
