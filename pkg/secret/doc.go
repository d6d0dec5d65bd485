// Package secret keeps secrets closed: Box seals what the database stores, and
// String carries a secret through the program without ever printing it.
//
// A sealed value is bound to the place it is stored at (Place): copied to
// another row or column it does not open.
package secret
