package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choiceFlag is a flag that takes one of some words. Shells complete the words.
type choiceFlag struct {
	value *string
	words []string
	noun  string
}

// addChoiceFlag adds a flag that takes one of words. The default is the word in value.
func addChoiceFlag(flags *pflag.FlagSet, value *string, name, noun, usage string, words ...string) {
	flags.Var(choiceFlag{value, words, noun}, name, usage)
}

func (f choiceFlag) String() string {
	if f.value == nil { // pflag asks the zero value for the default
		return ""
	}
	return *f.value
}

func (f choiceFlag) Type() string { return f.noun }

// Set reads the value of the flag.
func (f choiceFlag) Set(text string) error {
	if !slices.Contains(f.words, text) {
		return fmt.Errorf("there is no %s %q; there is %s", f.noun, text, strings.Join(f.words, ", "))
	}
	*f.value = text
	return nil
}

// completeChoices lets shells complete the words of a command's choice flags.
func completeChoices(cmd *cobra.Command) {
	complete := func(flag *pflag.Flag) {
		if choice, is := flag.Value.(choiceFlag); is {
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, cobra.FixedCompletions(choice.words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
		}
	}
	cmd.LocalFlags().VisitAll(complete)
}
