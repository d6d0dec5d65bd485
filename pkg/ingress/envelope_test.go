package ingress

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestDecodeEnvelope(t *testing.T) {
	t.Parallel()
	at := `"occurred_at":"2026-04-29T10:11:12Z"`
	good := envelope{EntityID: 42, OccurredAt: time.Date(2026, 4, 29, 10, 11, 12, 0, time.UTC)}
	withPlace := good
	withPlace.WebsiteID, withPlace.StoreID = 3, 4
	for name, c := range map[string]struct {
		body string
		want envelope
		err  string
	}{
		"Read_with_numbers":             {`{"magento_entity_id":42,"website_id":3,"store_id":4,` + at + `,"payload":{}}`, withPlace, ""},
		"Read_with_texts":               {`{"magento_entity_id":"42","website_id":"3","store_id":"4",` + at + `,"payload":[]}`, withPlace, ""},
		"Read_without_the_rest":         {`{"magento_entity_id":42,` + at + `}`, good, ""},
		"Read_with_nulls":               {`{"magento_entity_id":42,"website_id":null,"store_id":null,` + at + `,"payload":null}`, good, ""},
		"Read_with_unknown_fields":      {`{"magento_entity_id":42,` + at + `,"more":1,"more":[{}],"Magento_Entity_ID":7}`, good, ""},
		"Read_with_space_around":        {" \n{\"magento_entity_id\":42," + at + "}\r\n ", good, ""},
		"Read_with_offset":              {`{"magento_entity_id":42,"occurred_at":"2026-04-29T12:11:12+02:00"}`, good, ""},
		"Read_with_escaped_name":        {`{"magento\u005fentity_id":42,` + at + `}`, good, ""},
		"Read_with_empty_list_spaced":   {`{"magento_entity_id":42,` + at + `,"payload":[ ]}`, good, ""},
		"Refused_when_empty":            {``, envelope{}, "not a JSON object"},
		"Refused_when_null":             {`null`, envelope{}, "not a JSON object"},
		"Refused_when_a_list":           {`[]`, envelope{}, "not a JSON object"},
		"Refused_with_mark_in_between":  {"{\ufeff}", envelope{}, "not valid JSON"},
		"Read_in_the_last_second":       {`{"magento_entity_id":42,"occurred_at":"9999-12-31T23:59:59Z"}`, envelope{EntityID: 42, OccurredAt: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}, ""},
		"Read_in_the_first_second":      {`{"magento_entity_id":42,"occurred_at":"0001-01-01T01:00:00+01:00"}`, envelope{EntityID: 42, OccurredAt: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}, ""},
		"Refused_in_year_0":             {`{"magento_entity_id":42,"occurred_at":"0000-06-01T00:00:00Z"}`, envelope{}, "years 1 to 9999"},
		"Refused_before_1_by_offset":    {`{"magento_entity_id":42,"occurred_at":"0001-01-01T00:00:00+00:01"}`, envelope{}, "years 1 to 9999"},
		"Refused_after_9999_by_offset":  {`{"magento_entity_id":42,"occurred_at":"9999-12-31T23:59:59-00:01"}`, envelope{}, "years 1 to 9999"},
		"Refused_in_year_10000":         {`{"magento_entity_id":42,"occurred_at":"10000-01-01T00:00:00Z"}`, envelope{}, "not a time such as"},
		"Refused_before_our_era":        {`{"magento_entity_id":42,"occurred_at":"-0001-01-01T00:00:00Z"}`, envelope{}, "not a time such as"},
		"Refused_with_a_second_object":  {`{"magento_entity_id":42,` + at + `}{}`, envelope{}, "follows"},
		"Refused_when_cut":              {`{"magento_entity_id":42,` + at, envelope{}, "not valid JSON"},
		"Refused_with_comma_at_the_end": {`{"magento_entity_id":42,` + at + `,}`, envelope{}, "not valid JSON"},
		"Refused_with_control_byte":     {"{\"magento_entity_id\":42," + at + ",\"a\":\"\x00\"}", envelope{}, "not valid JSON"},
		"Refused_without_entity":        {`{` + at + `}`, envelope{}, "magento_entity_id is missing"},
		"Refused_with_negative_entity":  {`{"magento_entity_id":-1,` + at + `}`, envelope{}, "not above 0"},
		"Refused_with_fraction":         {`{"magento_entity_id":42.0,` + at + `}`, envelope{}, "magento_entity_id is not an integer"},
		"Refused_with_exponent":         {`{"magento_entity_id":4e1,` + at + `}`, envelope{}, "not an integer"},
		"Refused_with_plus":             {`{"magento_entity_id":"+42",` + at + `}`, envelope{}, "not an integer"},
		"Refused_with_blank_in_text":    {`{"magento_entity_id":" 42",` + at + `}`, envelope{}, "not an integer"},
		"Refused_with_empty_text":       {`{"magento_entity_id":"",` + at + `}`, envelope{}, "not an integer"},
		"Refused_beyond_64_bits":        {`{"magento_entity_id":9223372036854775808,` + at + `}`, envelope{}, "not an integer"},
		"Refused_with_entity_as_list":   {`{"magento_entity_id":[42],` + at + `}`, envelope{}, "not an integer"},
		"Refused_with_true_as_website":  {`{"magento_entity_id":42,"website_id":true,` + at + `}`, envelope{}, "website_id is not an integer"},
		"Refused_with_negative_store":   {`{"magento_entity_id":42,"store_id":"-1",` + at + `}`, envelope{}, "below 0"},
		"Refused_with_entity_twice":     {`{"magento_entity_id":42,"magento_entity_id":43,` + at + `}`, envelope{}, "magento_entity_id comes twice"},
		"Refused_without_time":          {`{"magento_entity_id":42}`, envelope{}, "occurred_at is missing"},
		"Refused_with_time_as_number":   {`{"magento_entity_id":42,"occurred_at":1}`, envelope{}, "not a text"},
		"Refused_with_time_of_MySQL":    {`{"magento_entity_id":42,"occurred_at":"2026-04-29 10:11:12"}`, envelope{}, "not a time such as"},
		"Refused_with_impossible_day":   {`{"magento_entity_id":42,"occurred_at":"2026-02-30T10:11:12Z"}`, envelope{}, "not a time such as"},
		"Refused_with_payload_as_text":  {`{"magento_entity_id":42,` + at + `,"payload":"x"}`, envelope{}, "payload is not an object"},
		"Refused_with_payload_as_list":  {`{"magento_entity_id":42,` + at + `,"payload":[1]}`, envelope{}, "payload is not an object"},
		"Refused_when_too_deep":         {`{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`, envelope{}, "deeper than 64"},
		"Refused_when_deep_and_endless": {strings.Repeat("[", maxBody), envelope{}, "deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeEnvelope([]byte(c.body))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// Brackets in strings do not count, whatever is escaped before them.
func TestTooDeep_looks_outside_of_strings(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("[", maxDepth+1)
	require.False(t, tooDeep([]byte(`{"a":"`+many+`"}`)))
	require.False(t, tooDeep([]byte(`{"a\"":"\\\"`+many+`"}`)))
	require.True(t, tooDeep([]byte(`{"a":"\\"`+many)))
	require.False(t, tooDeep([]byte(strings.Repeat(`[]`, maxDepth*3))))
}

// Whatever comes: no crash, and what is accepted can be stored and is valid.
func FuzzDecodeEnvelope(f *testing.F) {
	f.Add([]byte(goodBody))
	f.Add([]byte(`{"magento_entity_id":"42","website_id":"1","occurred_at":"2026-04-29T10:11:12.5+01:00","payload":[],"x":"\u0000\ud800"}`))
	f.Add([]byte(`{"magento_entity_id":42,"magento_entity_id":43}`))
	f.Add([]byte("{\"a\":\"\\"))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodeEnvelope(body)
		if err != nil {
			require.Less(t, len(err.Error()), 100)
			return
		}
		require.True(t, json.Valid(body))
		require.True(t, utf8.Valid(body))
		require.Positive(t, e.EntityID)
		require.GreaterOrEqual(t, e.WebsiteID, int64(0))
		require.GreaterOrEqual(t, e.StoreID, int64(0))
		require.Equal(t, time.UTC, e.OccurredAt.Location())
		require.True(t, e.OccurredAt.Year() >= 1 && e.OccurredAt.Year() <= 9999)
		var loose map[string]any
		require.NoError(t, json.Unmarshal(body, &loose))
		require.Contains(t, loose, "occurred_at")
	})
}
