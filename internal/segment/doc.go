// Package segment keeps a sealed range of transfers in one file.
package segment
