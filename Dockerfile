# Pin it for a release: --build-arg NODE_IMAGE=node:24-slim@sha256:...
ARG NODE_IMAGE=node:24-slim

# Without install scripts: Prisma's downloads a binary that is not used.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY LICENSE prisma.config.ts tsconfig.json tsconfig.build.json ./
COPY prisma/schema.prisma prisma/
COPY prisma/migrations prisma/migrations
COPY plugins plugins
COPY routes routes
COPY dashboard dashboard
COPY src src
# The last line sets modes, because those of the checkout depend on the umask.
RUN npm run build \
  && find dist \( -name '*.map' -o -name '*.d.ts' \) -delete \
  && chmod -R u=rwX,go=rX LICENSE package.json prisma dist

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without Prisma's CLI of 200 MB, an optional peer of its client. Fastify is a peer dependency of this package.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
# Removes nine of Prisma's ten query compilers, development files of packages, PGlite's extensions, which are peers of its
# socket server, and npm's own lock file.
# test/docker/image.test.ts runs the result.
RUN find node_modules/@prisma/client/runtime -name 'query_compiler_*' \
      ! -name 'query_compiler_small_bg.postgresql.*mjs' -delete \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete \
  && find node_modules -type d \( -name test -o -name benchmark -o -name docs \) -prune -exec rm -r {} + \
  && find node_modules/@electric-sql -mindepth 1 -maxdepth 1 -name 'pglite-*' ! -name pglite-socket -exec rm -r {} + \
  && rm node_modules/@electric-sql/pglite/dist/*.tar.gz node_modules/.package-lock.json

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    DATA_DIR=/data
RUN install -d -m 700 -o 1000 -g 1000 /data
VOLUME /data
WORKDIR /app
# Owned by root, so that the process can change only its data.
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/LICENSE /app/package.json ./
COPY --from=build /app/prisma prisma
COPY --from=build /app/dist dist
# A number, so that Kubernetes' runAsNonRoot can check it.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without the entry point of the base image, so that the service is process 1 and receives signals.
ENTRYPOINT []
# The same options as `npm start`; docs/benchmarks.md explains them.
CMD ["node", "--use-largepages=silent", "--single-threaded-gc", "dist/src/server.js"]
# x-release-please-start-version
ARG VERSION=0.1.0
# x-release-please-end
# Set by the release build (publish.yml). Without them, builds on the same base image are reproducible.
ARG SOURCE
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="musicez" \
      org.opencontainers.image.description="A Fastify service that checks API keys, logs every request into PostgreSQL and answers Kubernetes probes" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
