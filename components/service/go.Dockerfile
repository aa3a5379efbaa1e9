# Image of a Go service that has no Dockerfile: the program and CA certificates. Time zones are
# embedded in the program. To change more than the arguments, copy this file to the source folder
# as `Dockerfile`.

# Version of the official image. If go.mod requires a newer Go, the Go command downloads that one.
ARG GO_VERSION=1.26
ARG CGO_ENABLED=0
# Modules are kept in a cache mount of the builder, or in a layer, which a registry cache stores too.
ARG MODULES=mount
# Image to add the program to. By default it is added to an empty image.
ARG BASE_IMAGE=empty

# Without cgo, Go compiles on the builder's platform for every other one. With cgo, the C compiler of
# the image's platform is needed.
FROM --platform=$BUILDPLATFORM golang:$GO_VERSION AS toolchain-0
FROM golang:$GO_VERSION AS toolchain-1

FROM toolchain-$CGO_ENABLED AS toolchain
WORKDIR /src
ENV GOTOOLCHAIN=auto
# Environment variables of the Go command.
ARG CGO_ENABLED GOEXPERIMENT GOFLAGS GOINSECURE GONOPROXY GONOSUMDB GOPRIVATE GOPROXY GOSUMDB
# Folder of the module, relative to the build context.
ARG SOURCE=.

FROM toolchain AS modules-mount
ENV GOMODCACHE=/cache/mod

FROM toolchain AS modules-layer
COPY $SOURCE/go.mod $SOURCE/go.su[m] ./
RUN --mount=type=secret,id=netrc,target=/root/.netrc go mod download

FROM modules-$MODULES AS build
ARG MAIN_PACKAGE=. TAGS TARGETOS TARGETARCH VERSION VERSION_VARIABLE
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/cache/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=secret,id=netrc,target=/root/.netrc \
    cd "$SOURCE" && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
      -tags "timetzdata,$TAGS" -ldflags "-s -w ${VERSION_VARIABLE:+-X $VERSION_VARIABLE=$VERSION}" \
      -o /out/app "$MAIN_PACKAGE"

FROM toolchain-0 AS files
RUN mkdir -p /files/etc/ssl/certs && mkdir -m 1777 /files/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /files/etc/ssl/certs/ \
    && echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' > /files/etc/passwd \
    && echo 'nonroot:x:65532:' > /files/etc/group

FROM scratch AS empty
COPY --from=files /files/ /

FROM $BASE_IMAGE
COPY --from=build /out/app /app
ARG VERSION
LABEL org.opencontainers.image.version="$VERSION"
USER 65532:65532
ENTRYPOINT ["/app"]
