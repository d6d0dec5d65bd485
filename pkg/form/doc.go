// Package form is the settings of a binding as a form on a page: what each setting is
// shown as, and the JSON that a form which was sent means. It knows no HTTP and no
// HTML, and no setting by its name: those are package policy's.
//
// A form has every setting, also those of the other wire. What a form that was sent does
// not have, since it is of an older program, stays as it is in force.
package form
