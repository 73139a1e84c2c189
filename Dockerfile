# syntax=docker/dockerfile:1
# The service as an image: one static program, and nothing else.
#
#   docker build -t pick-regno .
#   docker build -t pick-regno --build-arg PICK_REGNO_MODEL=model/next.cbm .    # a model file inside the context
#
# It serves other hosts, so it wants API keys, one a line, in a file that user 65532 may read. `deploy/keys.sh` makes one with a
# random key, outside this folder:
#
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -v "$(deploy/keys.sh):/run/secrets/api-keys:ro" -p 5000:5000 -p 127.0.0.1:9464:9464 pick-regno
#
# `deploy/image-rootfs.sh` follows the last stage by hand, where no Docker runs.

# The version is for people, the digest (of the index, so of every architecture) is what is fetched.
FROM rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# Nothing is compiled from C, so the target's own start files and libc are all that linking takes: no musl-gcc.
RUN rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /src
COPY . .
# Empty: the model that the repository brings. Otherwise a path from the root of the context.
ARG PICK_REGNO_MODEL=
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-musl" \
 && cargo build --release --locked --package pick-regno --target "$target" \
 && cp "target/$target/release/pick-regno" /pick-regno \
 && mkdir /licenses \
 && deploy/licenses.sh "$target" > /licenses/THIRD-PARTY \
 && cp LICENSE-MIT LICENSE-APACHE /licenses \
 && mkdir /records

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pick-regno" \
      org.opencontainers.image.description="Says which of two readings of a licence plate is the one to keep" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /pick-regno /pick-regno
# Of the program itself, and of all that it is made of.
COPY --from=build /licenses /licenses
# For `serve --record`: a volume that is mounted there for the first time takes over its owner.
COPY --from=build --chown=65532:65532 /records /records
# A number, so that Kubernetes can tell that it is not root; there is no /etc/passwd.
USER 65532:65532
# Keys come from a file, never from the command line: what is set here is its path.
# 9464 is for the operators' network: it asks for no key.
# hadolint ignore=DL3064
ENV PICK_REGNO_LISTEN=0.0.0.0:5000 \
    PICK_REGNO_ADMIN=0.0.0.0:9464 \
    PICK_REGNO_API_KEYS_FILE=/run/secrets/api-keys
EXPOSE 5000 9464
HEALTHCHECK --interval=10s --timeout=2s --start-period=2s --retries=3 CMD ["/pick-regno", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/pick-regno"]
CMD ["serve"]
