package outbound

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckAddr(t *testing.T) {
	t.Parallel()
	const (
		public  = "public"  // always
		private = "private" // only with AllowPrivate
		never   = "never"
	)
	for text, want := range map[string]string{
		"93.184.216.34": public, "2606:4700::1111": public, "::ffff:93.184.216.34": public, "64:ff9b::5db8:d822": public,
		"127.0.0.1": private, "127.1.2.3": private, "::1": private, "::ffff:127.0.0.1": private,
		"10.0.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "fd12::1": private, "::ffff:10.0.0.1": private,
		"100.64.0.1": private, "100.127.255.254": private, "0.0.0.0": private, "::": private, "0.1.2.3": private,
		"192.0.2.1": private, "198.18.0.1": private, "203.0.113.9": private, "240.0.0.1": private, "255.255.255.255": private,
		"64:ff9b::a00:1": private, "2002:a00:1::": private, "2001:db8::1": private, "fec0::1": private, "2001::1": private,
		"169.254.169.254": never, "169.254.0.1": never, "::ffff:169.254.169.254": never, "fe80::1": never, "fe80::1%eth0": never,
		"64:ff9b::a9fe:a9fe": never, "2002:a9fe:a9fe::1": never,
		"100.100.100.200": never, "168.63.129.16": never, "fd00:ec2::254": never, "224.0.0.1": never, "ff02::1": never,
	} {
		addr := netip.MustParseAddr(text)
		strict, lax := checkAddr(addr, false), checkAddr(addr, true)
		require.Equal(t, want == public, strict == nil, "%s, strict: %v", text, strict)
		require.Equal(t, want != never, lax == nil, "%s, private allowed: %v", text, lax)
		if strict != nil {
			require.ErrorIs(t, strict, ErrAddressRefused)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct{ strict, lax bool }{
		"https://shop.example.com":            {true, true},
		"https://shop.example.com:8443/store": {true, true},
		"https://93.184.216.34/":              {true, true},
		"http://shop.example.com":             {false, true},
		"http://127.0.0.1:8080":               {false, true},
		"https://127.0.0.1":                   {false, true},
		"https://[::1]:443/":                  {false, true},
		"https://[::ffff:10.0.0.1]/":          {false, true},
		"https://localhost":                   {false, true},
		"https://LOCALHOST.":                  {false, true},
		"https://shop.localhost":              {false, true},
		"https://169.254.169.254/latest":      {false, false},
		"https://127.1":                       {false, false},
		"https://0x7f.1":                      {false, false},
		"https://0X7F000001":                  {false, false},
		"https://127.0.0.0x1":                 {false, false},
		"https://0x":                          {false, false},
		"https://2130706433":                  {false, false},
		"https://0":                           {false, false},
		"https://0177.0.0.1":                  {false, false},
		"https://127.0.0.1.1":                 {false, false},
		"https://256.1.1.1":                   {false, false},
		"https://127.1.":                      {false, false},
		"https://127.0.0.1.":                  {false, true},
		"https://127.0.0.1..":                 {false, true},
		"https://93.184.216.34.":              {true, true},
		"https://.":                           {false, false},
		"https://1.shop.example.com":          {true, true},
		"https://0x7f.example.com":            {true, true},
		"https://1and1.de":                    {true, true},
		"https://shop.cafe":                   {true, true},
		"https://0xshop.x0x1":                 {true, true},
		"https://user:pw@shop.example.com":    {false, false},
		"https://user@shop.example.com":       {false, false},
		"https://shop.example.com/#x":         {false, false},
		"https://shop.example.com/#":          {false, false},
		"https://shop.example.com/?a=b":       {false, false},
		"https://shop.example.com/?":          {false, false},
		"https://shop.example.com:0":          {false, false},
		"https://shop.example.com:70000":      {false, false},
		"https://shop.example.com:":           {false, false},
		"https://:443":                        {false, false},
		"https:shop.example.com":              {false, false},
		"ftp://shop.example.com":              {false, false},
		"//shop.example.com":                  {false, false},
		"shop.example.com":                    {false, false},
		"https://shop.exam ple.com":           {false, false},
		"https://shop\n.example.com":          {false, false},
		"":                                    {false, false},
	} {
		require.Equal(t, want.strict, CheckURL(raw, false) == nil, "%q, strict", raw)
		require.Equal(t, want.lax, CheckURL(raw, true) == nil, "%q, private allowed: %v", raw, CheckURL(raw, true))
	}
	require.NotContains(t, CheckURL("https://u:hunter2@%zz", true).Error(), "hunter2")
}
