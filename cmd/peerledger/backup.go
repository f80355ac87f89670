package main

import "github.com/spf13/cobra"

func (a *app) backupCommand() *cobra.Command  { return &cobra.Command{Use: "backup"} }
func (a *app) restoreCommand() *cobra.Command { return &cobra.Command{Use: "restore"} }
func (a *app) verifyCommand() *cobra.Command  { return &cobra.Command{Use: "verify"} }
