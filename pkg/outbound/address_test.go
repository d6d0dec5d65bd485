package outbound

import (
	"net/http"
	"net/http/httptest"
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
		"::5db8:d822": private, "::ffff:0:5db8:d822": public, "2002:5db8:d822::1": public, "2606:4700::5efe:5db8:d822": public,
		"64:ff9b:1:5db8:d8:2200::": private, "2001:0:5db8:d822::a247:27dd": private,
		"::ffff:0:a00:1": private, "2606:4700::5efe:a00:1": private, "2606:4700::200:5efe:7f00:1": private,
		"::a9fe:a9fe": never, "::ffff:0:a9fe:a9fe": never, "::ffff:0:6464:64c8": never, "2606:4700::5efe:a9fe:a9fe": never,
		"2606:4700::200:5efe:c000:c0": never, "fd12::5efe:a9fe:a9fe": never, "64:ff9b::c000:c0": never,
		"64:ff9b:1:a9fe:a9:fe00::": never, "64:ff9b:1::a9fe:a9fe": never, "64:ff9b:1:a9:fe:a9fe::": never, "64:ff9b:1:0:a9:fea9:fe00:0": never,
		"2002:c000:c0::": never, "2001:0:a9fe:a9fe::1": never, "2001:0:5db8:d822::5601:5601": never, "2001::3fff:ff3f": never,
		"192.0.0.192": never, "::ffff:192.0.0.192": never, "192.0.0.170": private,
		"fd00:ec2::23": never, "fd20:ce::254": never, "fd00:c1::a9fe:a9fe": never, "fd00:42::42": never, "fd00:42::43": private,
		"100.100.100.200": never, "168.63.129.16": never, "fd00:ec2::254": never, "224.0.0.1": never, "ff02::1": never,
	} {
		addr := netip.MustParseAddr(text)
		strict, lax := Private{}.check(addr), Private{All: true}.check(addr)
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

func TestPrivate_by_ranges(t *testing.T) {
	t.Parallel()
	p, err := ParsePrivate(" 10.1.2.3/8, 192.168.7.9 ,fd12::/16, ::ffff:172.16.0.0/108")
	require.NoError(t, err)
	for text, ok := range map[string]bool{
		"10.255.0.1": true, "192.168.7.9": true, "192.168.7.10": false, "fd12::1": true, "fd13::1": false, "172.31.0.1": true, "172.32.0.1": true,
		"127.0.0.1": false, "::1": false, "93.184.216.34": true, "169.254.169.254": false, "::ffff:10.0.0.1": true, "64:ff9b::a00:1": true,
		"64:ff9b::7f00:1": false, "fd12::5efe:7f00:1": false, "fd12::5efe:a00:1": true, "::a00:1": false,
	} {
		require.Equal(t, ok, p.check(netip.MustParseAddr(text)) == nil, text)
	}
	require.NoError(t, p.CheckURL("http://10.0.0.1:8080"))
	require.NoError(t, p.CheckURL("http://shop.internal"), "what it resolves to is judged when it is called")
	require.ErrorIs(t, p.CheckURL("https://127.0.0.1"), ErrAddressRefused)

	open, err := ParsePrivate("0.0.0.0/0,::/0")
	require.NoError(t, err)
	for _, text := range []string{"169.254.169.254", "192.0.0.192", "fd00:ec2::254", "fe80::1", "::ffff:0:a9fe:a9fe"} {
		require.ErrorIs(t, open.check(netip.MustParseAddr(text)), ErrAddressRefused, text)
	}
}

func TestParsePrivate(t *testing.T) {
	t.Parallel()
	for text, all := range map[string]bool{"": false, "true": true, "1": true, "false": false, "0": false, "TRUE": true, " true ": true} {
		p, err := ParsePrivate(text)
		require.NoError(t, err, text)
		require.Equal(t, Private{All: all}, p, text)
	}
	for _, text := range []string{"yes", "10.0.0.0/33", "10.0.0.0/8,", "shop.internal", "10.0.0.0/8 192.168.0.0/16", "true,10.0.0.0/8", "10.0.0"} {
		_, err := ParsePrivate(text)
		require.ErrorContains(t, err, "10.0.0.0/8", text)
	}
}

func TestNew_reaches_only_the_private_ranges_that_are_allowed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	for text, ok := range map[string]bool{"127.0.0.0/8": true, "127.0.0.1": true, "10.0.0.0/8": false, "true": true, "": false} {
		p, err := ParsePrivate(text)
		require.NoError(t, err)
		resp, err := New(Config{Private: p}).Get(server.URL)
		require.Equal(t, ok, err == nil, text)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		} else {
			require.ErrorIs(t, err, ErrAddressRefused)
		}
	}
}
