// Package gaps says what should have come from the shops and did not, seen from what
// came: increment ids that are missing between others, and shops that are quieter than
// their own rhythm. It reads only.
//
// A missing number does not prove a lost event: Magento takes a number before it saves,
// so a save that is rolled back leaves a hole. The shop alone knows.
package gaps
