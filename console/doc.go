// Package console has the operator's pages: who owes how much, which peers are near the end of
// their credit lines, which orders are open and which were closed, how much is held, what an id or a key means, and
// whether our books agree with the books of a peer. By default ([View]) the pages only
// show, and no route writes to the ledger. With [Act], forms change credit lines, suspend and close peers, book
// corrections, capital and payments, and pay, resolve and cancel orders.
//
// A connector mounts a [Console] in its own process, because the folder of an embedded ledger
// belongs to one process. The command "peerledger console" serves the same pages.
//
//	pages, err := console.New(console.Config{Book: client.Book, Settlement: client.Settlement, Peers: names})
//	mux.Handle("/console/", http.StripPrefix("/console", pages))
//	fmt.Println("http://localhost:8080/console/" + pages.NewLogin())
//
// # Reading the ledger
//
// All browsers share one reader. The reader looks at the ledger while a page asks, at most once per
// [Config.Interval], and at most once in 10 s above 10,000 peers. Each page shows the time of
// its figures. When the ledger does not answer, the pages keep the last figures and mark them.
//
// # Acting
//
// A form carries a key and the part of the books that it is based on. A second page shows the change in the words
// of the peerledger command, and its post makes the change, once for the form: [Config.JournalFile] has a line on disk
// before. The result is done, done before, refused, or unknown with the way to find out.
//
// # Access
//
// Every page but the log-in needs a session. A session begins with a link of [Console.NewLogin],
// which works once, within [LoginLifetime], or with [Config.Token]. Requests must name a known host ([Config.Hosts]), and a
// post must come from a page of the console ([Config.PublicURL]). The pages load nothing from
// elsewhere, and work without script and under any path.
package console
