package main

import (
	"context"
	"fmt"

	"towpath/pkg/oauth"
)

type secretsCommand struct {
	Rotate secretsRotate `cmd:"" help:"Seal everything that is stored with the first key of TOWPATH_SECRET_KEY; may be repeated."`
	Forget secretsForget `cmd:"" help:"After the loss of a key: forget what no key at hand opens; those shops are paired again, those bindings get a new token or app."`
}

type secretsRotate struct {
	database
	printed
}

// rotation is the answer of secrets rotate.
type rotation struct {
	KeyID    string         `json:"key_id"` // names the key, tells nothing of it
	Resealed int64          `json:"resealed"`
	Left     int64          `json:"left"`
	Columns  []oauth.Sealed `json:"columns"`
}

// Run may be stopped and run again, and beside working processes; those must
// know both keys. When nothing is left, the old key can go.
func (c secretsRotate) Run(ctx context.Context, io console) error {
	box, err := io.box()
	if err != nil {
		return err
	}
	pool, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer pool.Close()
	columns, err := oauth.Rotate(ctx, pool, box)
	if err != nil {
		return err
	}
	done := rotation{KeyID: box.Current().String(), Columns: columns}
	for _, column := range columns {
		done.Resealed += column.Resealed
		done.Left += column.Left
	}
	if err := c.print(io, done); err != nil {
		return err
	}
	if done.Left > 0 {
		io.warn("some values are not sealed with the current key: keep the old one. Give both keys (the new one first) to every process, then run this again.")
		return errSilent
	}
	return nil
}

func (c secretsRotate) print(io console, done rotation) error {
	if c.JSON {
		return printJSON(io.out, done)
	}
	rows := [][]string{}
	for _, column := range done.Columns {
		rows = append(rows, []string{column.Column, fmt.Sprint(column.Resealed), fmt.Sprint(column.Unread), fmt.Sprint(column.Left)})
	}
	if err := printTable(io.out, []string{"column", "resealed", "unread", "left"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%d values sealed anew with key %s; %d left\n", done.Resealed, done.KeyID, done.Left)
	return nil
}
