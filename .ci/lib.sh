# What .ci/run, .ci/release, .ci/package and .ci/upgrade share; sourced.

# version of the last commit: of a tag at it, else one that sorts by the commit's time.
version() {
	local tag
	if tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
		echo "${tag#v}"
	else
		echo "0.0.0~$(TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd).$(git rev-parse --short=12 HEAD)"
	fi
}

# checkout DIR [COMMIT]: a clone, since Go stamps no commit into what is built in a worktree.
checkout() {
	git clone --quiet --shared --no-checkout . "$1"
	git -C "$1" checkout --quiet --detach "$(git rev-parse "${2:-HEAD}")"
}

# What all is built with, and tested with. pgx without what only the ways of sending statements need that
# pkg/pgdb refuses (exec, simple_protocol): 1.4 MB.
readonly TAGS=nopgxregisterdefaulttypes

# build ARCH FILE TREE: the static binary of a checkout, the same wherever it is built.
# Functions begin at multiples of 16 bytes in place of 32: 0.3 MB.
build() (
	cd "$3"
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 GOFLAGS=-mod=readonly GOAMD64=v1 \
		go build -trimpath -buildvcs=true -tags "$TAGS" -ldflags='-s -w -buildid= -funcalign=16' -o "$2" ./cmd/towpath
)

# the time of the last commit, for all that has a date.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# need PROGRAM PACKAGE: installs it, as root on a Debian.
need() {
	command -v "$1" >/dev/null && return
	if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
		echo "$1 is missing (Debian: apt-get install $2)"
		return 1
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$2"
}

# licences FILE OUT: the licences of Towpath, of Go and of every module in a binary. Of
# those under the Apache licence the name and the notice: Debian has its text.
licences() {
	local module version dir file
	{
		printf 'Towpath\n=======\n\n'
		cat LICENSE
		printf '\nThe binary contains the Go standard library and the modules below.\n'
		printf '\nThe Go standard library\n=======================\n\n'
		cat "$(go env GOROOT)/LICENSE"
		go version -m "$1" | awk '$1 == "dep" { print $2, $3 }' | while read -r module version; do
			dir=$(go list -m -f '{{.Dir}}' "$module")
			printf '\n%s %s\n\n' "$module" "$version"
			file=$(find "$dir" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' \) | sort | sed -n 1p)
			if [[ -z $file ]]; then
				echo "no licence of $module in $dir" >&2
				return 1
			fi
			if grep -q 'Apache License' "$file" && grep -q 'TERMS AND CONDITIONS' "$file"; then
				echo "Apache License 2.0; on Debian systems /usr/share/common-licenses/Apache-2.0."
				find "$dir" -maxdepth 1 -iname 'notice*' -exec cat {} +
			else
				cat "$file"
			fi
		done
	} >"$2"
}
