// Every group call of Mixpanel's Go library, against the URL given.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/mixpanel/mixpanel-go"
)

func main() {
	ctx := context.Background()
	client := mixpanel.NewApiClient("token", mixpanel.ProxyApiLocation(os.Args[1]))
	calls := []error{
		client.GroupSet(ctx, "company", "acme", map[string]any{"name": "Acme", "plan": "free"}),
		client.GroupSetOnce(ctx, "company", "acme", map[string]any{"plan": "paid", "since": 2020}),
		client.GroupUnionListProperty(ctx, "company", "acme", map[string]any{"tags": []string{"a", "b"}}),
		client.GroupUnionListProperty(ctx, "company", "acme", map[string]any{"tags": []string{"b", "c"}}),
		client.GroupRemoveListProperty(ctx, "company", "acme", map[string]any{"tags": "b"}),
		client.GroupDeleteProperty(ctx, "company", "acme", []string{"name"}),
		client.GroupSet(ctx, "company", "gone", map[string]any{"x": 1}),
		client.GroupDelete(ctx, "company", "gone"),
	}
	for number, err := range calls {
		if err != nil {
			log.Fatalf("call %d: %v", number, err)
		}
	}
	fmt.Println(client.GroupSet(ctx, "company", "reject-me", map[string]any{"x": 1}))
}
