//go:build unix

package signoff

import (
	"io/fs"
	"os"
	"syscall"
)

// owners are the owner of a file and this process's user.
func owners(info fs.FileInfo) (owner, user int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), os.Geteuid(), true
}
