# syntax=docker/dockerfile:1

# A server for a Kafka of your own. It listens on all addresses, so it wants a token:
#
#   docker build -t tidemark .
#   docker run -p 8080:8080 -v tidemark:/data -v "$PWD/token:/run/secrets/tidemark-token:ro" tidemark --kafka-brokers kafka:9092
#
# The token file holds at least 16 characters and must be readable by user 10001. The embedded broker, which runs without
# --kafka-brokers, can only be reached from within the container.
#
# The program in it is, byte for byte, that of a release (scripts/release) of the same version by the same Go. With
# SOURCE_DATE_EPOCH and a builder that rewrites times the image is the same too:
#
#   SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx build --build-arg VERSION=v1.2.3 \
#     --output type=image,name=tidemark:v1.2.3,rewrite-timestamp=true .

ARG GO_VERSION=1.26.8
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=dev
WORKDIR /src
ENV GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The directory is that of the volume, which takes its owner from here.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid= -X main.released=$VERSION" -o /out/usr/local/bin/tidemark . && \
    install -D -m 0644 -t /out/usr/share/doc/tidemark LICENSE THIRD_PARTY_NOTICES && \
    install -D -m 0644 -t /out/etc/ssl/certs /etc/ssl/certs/ca-certificates.crt && \
    install -d -o 10001 -g 10001 -m 0700 /data

# There is nothing else in the image: no shell, no libraries, no other program.
FROM scratch
COPY --from=build /out /
COPY --from=build --chown=10001:10001 /data /data
ENV PATH=/usr/local/bin \
    TIDEMARK_DATA=/data \
    TIDEMARK_LISTEN=0.0.0.0:8080 \
    TIDEMARK_AUTH_TOKEN_FILE=/run/secrets/tidemark-token \
    TIDEMARK_LOG_FORMAT=json
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Needs no token. Readiness is another matter: /readyz is 503 while no broker can be reached.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["tidemark", "health"]
ENTRYPOINT ["tidemark", "serve"]
