# Pin it for a release: --build-arg NODE_IMAGE=node:24-slim@sha256:...
ARG NODE_IMAGE=node:24-slim

# Neither install runs install scripts: Prisma's would download a binary that nothing here uses.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY prisma.config.ts tsconfig.json tsconfig.build.json ./
COPY prisma prisma
COPY plugins plugins
COPY routes routes
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Prisma's CLI is an optional peer of its client: without the two other omits it comes along, all 200 MB of it.
RUN npm ci --omit=dev --omit=optional --omit=peer --ignore-scripts --no-audit --no-fund
# Of Prisma's ten query compilers the generated client loads one. TypeScript and source maps are for developers.
RUN find node_modules/@prisma/client/runtime -name 'query_compiler_*' \
      ! -name 'query_compiler_small_bg.postgresql.*mjs' -delete \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="musicez" \
      org.opencontainers.image.description="Checks API keys, logs every request into PostgreSQL and answers Kubernetes probes" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    DATA_DIR=/data
RUN install -d -m 700 -o 1000 -g 1000 /data
VOLUME /data
WORKDIR /app
# Owned by root: the process can change nothing but its data.
COPY package.json LICENSE ./
COPY prisma/schema.prisma prisma/
COPY prisma/migrations prisma/migrations
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# A number, so that Kubernetes' runAsNonRoot can tell that it is not root.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/server.js"]
