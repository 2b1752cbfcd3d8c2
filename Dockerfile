# syntax=docker/dockerfile:1

# A server for a Kafka of your own. It listens on all addresses, so it wants a token:
#
#   docker build -t tidemark .
#   docker run -p 8080:8080 -v tidemark:/data -v "$PWD/token:/run/secrets/tidemark-token:ro" tidemark --kafka-brokers kafka:9092
#
# The token file holds at least 16 characters and must be readable by user 10001. The embedded broker, which runs without
# --kafka-brokers, can only be reached from within the container.

FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/tidemark .
# The volume takes its owner from here.
RUN install -d -o 10001 -g 10001 -m 0700 /out/data

# alpine has the wget that the health check needs; the binary needs nothing.
FROM alpine:3.22
COPY --from=build /out/tidemark /usr/local/bin/tidemark
COPY --from=build --chown=10001:10001 /out/data /data
COPY LICENSE THIRD_PARTY_NOTICES /usr/share/doc/tidemark/
ENV TIDEMARK_DATA=/data \
    TIDEMARK_LISTEN=0.0.0.0:8080 \
    TIDEMARK_AUTH_TOKEN_FILE=/run/secrets/tidemark-token \
    TIDEMARK_LOG_FORMAT=json
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Needs no token. Readiness is another matter: /readyz is 503 while no broker can be reached.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/livez"]
ENTRYPOINT ["tidemark", "serve"]
