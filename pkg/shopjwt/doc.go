// Package shopjwt makes and checks the tokens that the shop and this service
// show each other: HS256 JSON Web Tokens, signed with one of two subkeys of the
// pairing's api_key. The api_key itself signs nothing, and a key of one
// direction proves nothing in the other.
//
// A token is good for one request. Whether its jti was seen before is not
// decided here: the caller spends it in the transaction that the request
// causes, and keeps it until Claims.SpentUntil.
package shopjwt
