// Package effects has the words for changes by hand: the name of a change, its effect on a balance,
// the reason why it will be refused, and the next step after an unknown outcome. The command
// and the console show the same words. An option is named as the flag of the command.
package effects
