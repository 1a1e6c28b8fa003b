#!/bin/sh
# Makes sure that the engine has the image redis:7. It is pulled where there is a registry; where there is none, an image of
# that name is made from Debian's packages: nothing is installed or started on this machine. Does nothing the second time.
set -eu

image=redis:7

if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image is there" >&2
    exit 0
fi
# The pull gets half a minute to begin with: behind a silent firewall it would hang for many.
if timeout 30 docker pull -q "$image" >/dev/null 2>&1; then
    echo "$image is pulled" >&2
    exit 0
fi
for tool in apt-get apt-cache dpkg-deb; do
    if ! command -v "$tool" >/dev/null; then
        echo "pulling $image failed, and making it here needs $tool, which only Debian and its kin have" >&2
        exit 1
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/debs" "$work/root"
chmod 755 "$work" "$work/root"

# What the compose file calls: Redis, a shell and its small tools. Of what these depend on only the libraries are needed, as
# no package's scripts are run.
wanted="redis-server redis-sentinel redis-tools dash coreutils grep libc-bin"
needed() {
    # shellcheck disable=SC2086 # a list of names
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        $wanted | grep -E '^lib' | grep -v -E 'perl|:' | sort -u
}
libraries=$(needed)
if [ -z "$libraries" ]; then
    apt-get update -qq
    libraries=$(needed)
fi
# shellcheck disable=SC2086
(cd "$work/debs" && apt-get download -qq -o APT::Sandbox::User=root $wanted $libraries)

cd "$work/root"
mkdir -p usr/bin usr/sbin usr/lib usr/lib64 tmp etc
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$folder"; done
chmod 1777 tmp
for deb in "$work"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --exclude='./usr/share/*' --exclude='./lib/systemd'
done
ln -sf dash usr/bin/sh
ldconfig -r .
tar -c . | docker import -c 'CMD ["redis-server"]' -c 'EXPOSE 6379' -c 'WORKDIR /tmp' - "$image" >/dev/null
echo "$image is made from $(dpkg-deb -W --showformat='${Package} ${Version}' "$work"/debs/redis-tools_*.deb)" >&2
