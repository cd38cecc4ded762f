// vpa gives usage to the Vertical Pod Autoscaler's own recommender, and prints what it would request.
//
// Standard input has lines of two kinds, in order of time within a container:
//
//	CONTAINER SECONDS CORES BYTES   a sample; bytes 0: none
//	CONTAINER                       asks for the recommendation now
//
// Each question is answered by a line: container, target, lower and upper bound in millicores, then in bytes.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"
)

type container struct {
	usage *model.AggregateContainerState
	state *model.ContainerState
}

func newContainer() *container {
	usage := model.NewAggregateContainerState()
	return &container{usage, model.NewContainerState(model.Resources{}, usage)}
}

func (c *container) add(at time.Time, cores float64, bytes float64) {
	c.state.AddSample(&model.ContainerUsageSample{
		MeasureStart: at, Usage: model.CPUAmountFromCores(cores), Resource: model.ResourceCPU,
	})
	if bytes > 0 {
		c.state.AddSample(&model.ContainerUsageSample{
			MeasureStart: at, Usage: model.MemoryAmountFromBytes(bytes), Resource: model.ResourceMemory,
		})
	}
}

func main() {
	flag.Parse()
	recommender := logic.CreatePodResourceRecommender()
	containers := map[string]*container{}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		name, sample, more := strings.Cut(in.Text(), " ")
		if containers[name] == nil {
			containers[name] = newContainer()
		}
		if more {
			var seconds int64
			var cores, bytes float64
			if _, err := fmt.Sscan(sample, &seconds, &cores, &bytes); err != nil {
				panic(err)
			}
			containers[name].add(time.Unix(seconds, 0), cores, bytes)
			continue
		}
		asked := model.ContainerNameToAggregateStateMap{name: containers[name].usage}
		answer := recommender.GetRecommendedPodResources(asked)[name]
		fmt.Fprint(out, name)
		for _, resource := range []model.ResourceName{model.ResourceCPU, model.ResourceMemory} {
			for _, amount := range []model.Resources{answer.Target, answer.LowerBound, answer.UpperBound} {
				fmt.Fprint(out, " ", amount[resource])
			}
		}
		fmt.Fprintln(out)
	}
}
