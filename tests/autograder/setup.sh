#!/usr/bin/env bash
# Gradescope runs this once, when the autograder's image is built: installs what submissions may
# need, and builds the lab.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends \
    ca-certificates curl build-essential python3 nodejs default-jdk-headless

curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
    sh -s -- -y --profile minimal --default-toolchain %rust%
. "$HOME/.cargo/env"

cd /autograder/source/kit
cargo build --release --locked --package chat-lab --bin lab
install -m 755 target/release/lab /usr/local/bin/lab
