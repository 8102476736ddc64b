# The same binary as `cargo build --release` makes, in two stages, run by a user who may do nothing else.
#
#   docker build -t mailkeep .
#   docker run -d --name mailkeep -p 127.0.0.1:7677:7677 -v mailkeep:/data mailkeep
#   docker logs mailkeep        # the code for the set-up page
#
# Both bases are arguments: tests/container builds it without a registry (buildah and a debootstrap-ed Debian).
ARG BUILD_BASE=docker.io/library/rust:1.95-slim-bookworm
ARG RUN_BASE=docker.io/library/debian:bookworm-slim

FROM ${BUILD_BASE} AS build
# A C compiler, make and perl build the vendored SQLCipher and its OpenSSL; nothing of them is needed to run.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential make perl pkg-config libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin mailkeep \
    && install -m 0755 target/release/mailkeep /usr/local/bin/mailkeep

FROM ${RUN_BASE}
RUN useradd --system --uid 10677 --user-group --home-dir /data --shell /usr/sbin/nologin mailkeep \
    && install -d -o mailkeep -g mailkeep -m 0700 /data
COPY --from=build /usr/local/bin/mailkeep /usr/local/bin/mailkeep
USER mailkeep
# All that is kept, sealed, lies in one place.
ENV MAILKEEP_DATA=/data
VOLUME /data
EXPOSE 7677
# Inside a container the caller's user cannot be seen, so loopback's rule does not hold: on 0.0.0.0 whoever comes first
# could own the store. The set-up page therefore asks for a code of one use, which `serve` prints when it starts (see
# `docker logs`). Publish the port on 127.0.0.1 only, as above, and put a proxy with TLS in front for anything further.
ENTRYPOINT ["mailkeep"]
CMD ["serve", "--listen", "0.0.0.0:7677"]
